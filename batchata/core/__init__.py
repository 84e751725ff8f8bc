"""The pure core: events, the state folded from them, and the rules that decide what happens next."""
