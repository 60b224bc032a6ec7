"""What undrain promises."""


def test_the_member_is_back_and_gets_requests(out, other, visit):
    assert out == {"app": []}
    assert other in {visit("/")[2].strip() for _ in range(8)}
