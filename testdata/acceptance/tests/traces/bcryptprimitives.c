/* Wine before 8.17 has no bcryptprimitives.dll, from which Rust programs take their random numbers (a hash seed, nothing that is printed).
 * This is that one function over the older call, for running our Windows build in tests under such a Wine. It is shipped to nobody. */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T size)
{
    return RtlGenRandom(buffer, (ULONG)size);
}
