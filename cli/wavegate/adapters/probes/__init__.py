"""Takes measurements: one file a kind of probe. What an observation means is decided in `core.judgement`."""
