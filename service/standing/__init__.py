"""What all workers on the store share: how they sign in, when they may, and whether work is still theirs."""
