"""The only place where real things are wired together: config, Ansible, journal, executor, probes, engine."""
