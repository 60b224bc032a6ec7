"""What drain promises, also after another configuration, a restart, and an undrain by somebody else."""


def test_the_member_is_out_and_no_request_comes_to_it(out, other, visit):
    assert out == {"app": [other]}
    assert other not in {visit("/")[2].strip() for _ in range(8)}


def test_the_renewed_certificate_is_shown_and_the_old_key_is_gone(host, visit):
    assert visit("/healthz")[0] == 200
    assert len(host.file("/etc/nginx/tls").listdir()) == 2


def test_a_refused_configuration_did_not_land(host):
    host.run_expect([0], "nginx -t -q")
