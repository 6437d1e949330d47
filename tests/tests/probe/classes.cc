// A program in C++ for the tests of `probe`: a class, a mutex, an exception that is thrown in the window.
// `classes broken|fixed`.
#include <csignal>
#include <cstring>
#include <mutex>
#include <stdexcept>

namespace bank {
class Ledger {
	std::mutex lock_;
	long total_ = 0;

public:
	[[gnu::noinline]] void book(long amount);
	long total();
};

void Ledger::book(long amount)
{
	std::lock_guard<std::mutex> guard(lock_);
	if (amount % 2)
		throw std::runtime_error("odd");
	total_ += amount;
}

long Ledger::total()
{
	std::lock_guard<std::mutex> guard(lock_);
	return total_;
}
}

static bank::Ledger ledger;
static volatile long seen;

// The window: an exception is thrown, and caught.
extern "C" [[gnu::noinline]] void try_both(long n)
{
	try {
		ledger.book(2 * n);
		ledger.book(2 * n + 1);
	} catch (const std::exception &) {
		seen = n;
	}
}

static void ask(int)
{
	seen = ledger.total();
}

static void count(int)
{
	seen = seen + 1;
}

int main(int argc, char **argv)
{
	bool broken = argc > 1 && !std::strcmp(argv[1], "broken");
	struct sigaction action = {};
	action.sa_handler = broken ? ask : count;
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &action, nullptr);
	for (long n = 0; n < 400; n++)
		try_both(n);
	return 0;
}
