/* The source of the C fixtures: a function that is inlined, one that is not, one alias, one that is only reached by pointer. */
static inline int twice(int value)
{
	return value * 2;
}

__attribute__((noinline)) int fixture_work(int value)
{
	volatile int sum = 0;
	for (int i = 0; i < value; i++)
		sum += twice(i);
	return sum;
}

int fixture_alias(int value) __attribute__((alias("fixture_work")));

static int only_by_pointer(int value)
{
	return fixture_work(value) + 1;
}

int (*const fixture_table[])(int) = {only_by_pointer};

#ifdef WITH_MAIN
int main(int argc, char **argv)
{
	(void)argv;
	return fixture_table[0](argc) == 0;
}
#endif
