// A library of a program's own, which allocates for its caller in one form.
#include <stdlib.h>
#include <unistd.h>

__attribute__((noinline)) static char *buffer(int size)
{
#ifdef BROKEN
	return calloc(1, size);
#else
	static char kept[64];
	return size > 64 ? 0 : kept;
#endif
}

void report(int signal)
{
	char *text = buffer(8);
	if (text) {
		text[0] = (char)('0' + signal % 10);
		write(2, text, 1);
	}
}
