// Asks libbpf itself: loads OBJECT against the BTF file TARGET and prints what became of each relocation of each program:
// "PROGRAM POSITION value N" or "PROGRAM POSITION missing". Whether the kernel then takes the program does not matter.
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[4096], program[256];
	int position;
	const char *arrow;
	(void)level;
	vsnprintf(line, sizeof line, format, args);
	if (sscanf(line, "libbpf: prog '%255[^']': relo #%d:", program, &position) != 2)
		return 0;
	if (strstr(line, "substituting insn"))
		printf("%s %d missing\n", program, position);
	else if (strstr(line, "patched insn") && !strstr(line, "mem_sz") && (arrow = strstr(line, " -> ")))
		printf("%s %d value %s", program, position, arrow + 4);
	else if (strstr(line, "ambiguity") || strstr(line, "failed"))
		printf("%s %d error\n", program, position);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = argv[2]);
	libbpf_set_print(print);
	struct bpf_object *object = bpf_object__open_file(argv[1], &opts);
	if (!object)
		return 1;
	bpf_object__load(object);
	return 0;
}
