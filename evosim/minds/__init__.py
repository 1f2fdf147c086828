"""Decision and learning machinery: where minds beyond the reflex will stand."""
