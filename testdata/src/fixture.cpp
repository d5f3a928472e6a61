// The source of the C++ fixtures: a class in a namespace, inlined methods, an exception.
#include <stdexcept>
#include <string>

namespace fixture {

class Counter {
public:
	explicit Counter(int start) : value_(start) {}
	int next() { return step(1); }

private:
	int step(int by)
	{
		if (value_ < 0)
			throw std::runtime_error("negative: " + std::to_string(value_));
		return value_ += by;
	}
	int value_;
};

__attribute__((noinline)) int count(int start)
{
	Counter counter(start);
	return counter.next() + counter.next();
}

} // namespace fixture
