"""The bench: one oracle, one bucket in memory, one state machine; they prove and break the native engine together."""
