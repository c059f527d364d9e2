"""What a stage took: seconds of a device, memory, tokens and floating-point operations."""
