// C++ in handlers: memory, exceptions, streams, and functions that are called through a table.
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <unistd.h>

namespace service {

struct Task {
	virtual ~Task() = default;
	virtual void stop(int signal) = 0;
	int state = 0;
};

struct Worker : Task {
	void stop(int signal) override { state = signal; }
};

Task *task;
volatile std::sig_atomic_t flag;

__attribute__((noinline)) std::string describe(int signal)
{
	return std::string("stopped by a signal whose number is ") + std::to_string(signal);
}

void on_term(int signal)
{
#ifdef BROKEN
	std::string text = describe(signal);
	write(2, text.data(), text.size());
	if (signal == 99)
		throw std::runtime_error("no such signal");
#else
	flag = signal;
#endif
}

void on_virtual(int signal)
{
	task->stop(signal);
}

} // namespace service

int main(int argc, char **)
{
	std::signal(SIGTERM, service::on_term);
#ifdef VIRTUAL
	service::task = argc > 5 ? nullptr : new service::Worker;
	std::signal(SIGUSR1, service::on_virtual);
#endif
	return argc > 1 ? pause() : 0;
}
