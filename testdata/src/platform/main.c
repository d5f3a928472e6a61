/* The program of the platform fixtures. It needs no C library: the entry point is the linker's, and nothing is imported. */
int middle(int rounds);
int shapes(int count);

/* What a compiler for Windows wants to see where floating point is used. */
int _fltused = 1;

__attribute__((noinline)) int run(int rounds)
{
	return middle(rounds) + shapes(rounds);
}

#ifdef _WIN32
int mainCRTStartup(void)
{
	return run(5) == 0;
}
#ifdef WITH_DLL
int _DllMainCRTStartup(void *module, unsigned long reason, void *reserved)
{
	(void)module;
	(void)reserved;
	return reason + run(1) != 0;
}
#endif
#else
int main(int argc, char **argv)
{
	(void)argv;
	return run(argc) == 0;
}
#endif
