/* The middle of the platform fixtures: a loop over the leaf, and a function that only one caller reaches. */
int leaf(int kind, int value);

static __attribute__((noinline)) int only_here(int value)
{
	return leaf(value & 3, value) + 1;
}

__attribute__((noinline)) int middle(int rounds)
{
	volatile int sum = 0;
	for (int i = 0; i < rounds; i++)
		sum += leaf(i % 6, sum);
	return sum + only_here(sum);
}
