/* A guest that does nothing until its standard input ends, so that the memory of who watches it can be read. */
#include <unistd.h>

int main(void)
{
	char c;

	write(1, "r", 1);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
