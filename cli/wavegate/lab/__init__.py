"""A fleet of real systemd hosts in containers, to try and to test rollouts on."""
