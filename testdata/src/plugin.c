// A program that loads a library, or the library: which calls the program's exported function at once, so that a caller lies in a file that
// was not mapped a moment ago.
// Usage: plugin LIBRARY CALLS
// Build: gcc -O2 -rdynamic plugin.c -o plugin -ldl; gcc -O2 -shared -fPIC -DLIBRARY plugin.c -o libplugin.so
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef LIBRARY
unsigned long through(unsigned long (*call)(unsigned long), unsigned long calls)
{
    unsigned long sum = 0;
    for (unsigned long i = 0; i < calls; i++)
        sum += call(i);
    return sum + 1;
}
#else
__attribute__((noinline)) unsigned long hit(unsigned long number)
{
    return number + (getppid() >= 0);
}

int main(int count, char **arguments)
{
    if (count < 3)
        return 2;
    usleep(200000);
    unsigned long sum = hit(1);
    usleep(100000);
    void *library = dlopen(arguments[1], RTLD_NOW);
    if (!library)
        return 3;
    unsigned long (*through)(unsigned long (*)(unsigned long), unsigned long) =
        (unsigned long (*)(unsigned long (*)(unsigned long), unsigned long))dlsym(library, "through");
    sum += through(hit, strtoul(arguments[2], NULL, 10));
    usleep(200000);
    printf("%lu\n", sum);
    return 0;
}
#endif
