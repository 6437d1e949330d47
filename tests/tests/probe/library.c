// A library that the program `more late` loads while it runs.
#include <pthread.h>
#include <signal.h>

static pthread_mutex_t notes_lock = PTHREAD_MUTEX_INITIALIZER;
static volatile long notes, seen;

void late_note(long value)
{
	pthread_mutex_lock(&notes_lock);
	notes += value;
	pthread_mutex_unlock(&notes_lock);
}

void late_reader(int signal)
{
	(void)signal;
	pthread_mutex_lock(&notes_lock);
	seen = notes;
	pthread_mutex_unlock(&notes_lock);
}

void late_counter(int signal)
{
	(void)signal;
	seen++;
}
