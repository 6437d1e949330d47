// The program of the transcript in docs/probe.md: the lines that are named there are those of this file.
#include <signal.h>
#include <syslog.h>
#include <unistd.h>
static __attribute__((noinline, noclone)) void note(const char *what)
{
	syslog(LOG_INFO, "%s", what);
}

static void out_of_time(int number)
{
	(void)number;
	note("out of time");
}

int main(void)
{
	alarm(60);
	signal(SIGALRM, out_of_time);
	for (;;)
		pause();
}
