"""The one loop: read events, fold, decide, write the intent, act, write the outcome."""
