"""Mutants that the laws do not find, each with the reason; and harmless ones (INNOCENT), which must not be found."""

INNOCENT = {
    "chatters": "it only prints, also to the raw descriptor: its answers are right",
}
# mutant -> why no law can find it, or not within its budget
REASONS: dict[str, str] = {
    "unwritten-after-a-block": "rows of more than 512 and a kernel of 8 taps or more at once, in float32: each is a corner "
    "that is wished for, their meeting is left to chance; n1c1k1_x600_r9 shows it",
}
