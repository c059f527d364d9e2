"""What a run would take, before it is begun: tokens, operations, memory, disk and hours."""
