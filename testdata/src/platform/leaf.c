/* The leaf of the platform fixtures: a switch, and an inline function within an inline function. No C library anywhere. */
static inline int square(int value)
{
	return value * value;
}

static inline int square_sum(int one, int other)
{
	return square(one) + square(other);
}

__attribute__((noinline)) int leaf(int kind, int value)
{
	volatile int kept = value;
	switch (kind) {
	case 0:
		return square_sum(kept, 3);
	case 1:
		return kept - 7;
	case 2:
		return square(kept) ^ 0x55;
	case 3:
		return kept << 2;
	case 4:
		return square_sum(kept, kept + 1) % 11;
	default:
		return -kept;
	}
}
