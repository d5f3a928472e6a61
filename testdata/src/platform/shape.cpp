// The C++ of the platform fixtures: virtual functions, a template, a method that is inlined. Its own operator delete: no library is linked.
void operator delete(void *) noexcept {}
void operator delete(void *, decltype(sizeof(0))) noexcept {}

// What a vtable of the Itanium ABI points to where a function is pure.
extern "C" void __cxa_pure_virtual() {}
// Its counterpart on Windows.
extern "C" int _purecall() { return 0; }

namespace shape {

struct Shape {
    virtual ~Shape() {}
    virtual double area() const = 0;
    int rounded() const { return static_cast<int>(area() + 0.5); }
};

struct Square : Shape {
    explicit Square(double side) : side(side) {}
    double area() const override { return side * side; }
    double side;
};

struct Circle : Shape {
    explicit Circle(double radius) : radius(radius) {}
    double area() const override { return 3.125 * radius * radius; }
    double radius;
};

template <typename T, int Times>
__attribute__((noinline)) T repeat(T value)
{
    volatile T sum = 0;
    for (int i = 0; i < Times; i++)
        sum = sum + value;
    return sum;
}

__attribute__((noinline)) int measure(const Shape &one)
{
    return one.rounded() + 1;
}

} // namespace shape

extern "C" int shapes(int count)
{
    shape::Square square(count);
    shape::Circle circle(count + 1);
    int sum = shape::measure(square) + shape::measure(circle);
    return sum + shape::repeat<int, 3>(count) + static_cast<int>(shape::repeat<double, 2>(count));
}
