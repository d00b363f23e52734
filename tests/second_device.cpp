// A second device made of main memory, so that what lies on one device and what lies on the other
// is told apart where there is no GPU. Kernels are those of the processor, on copies.

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/alloc_cpu.h>
#include <torch/extension.h>

namespace second {

using namespace at;

constexpr DeviceType KIND = DeviceType::PrivateUse1;
constexpr c10::DispatchKeySet KEYS(c10::DispatchKey::PrivateUse1);
const Device HERE(KIND, 0);

struct Memory final : c10::Allocator {
  DataPtr allocate(size_t size) override {
    void* place = c10::alloc_cpu(size ? size : 1);
    return {place, place, &c10::free_cpu, HERE};
  }
  DeleterFnPtr raw_deleter() const override { return &c10::free_cpu; }
  void copy_data(void* to, const void* from, size_t size) const override {
    memcpy(to, from, size);
  }
};
static Memory memory;
REGISTER_ALLOCATOR(KIND, &memory);

struct Guard final : c10::impl::DeviceGuardImplInterface {
  static constexpr DeviceType static_type = KIND;
  DeviceType type() const override { return KIND; }
  Device exchangeDevice(Device) const override { return HERE; }
  Device getDevice() const override { return HERE; }
  void setDevice(Device) const override {}
  void uncheckedSetDevice(Device) const noexcept override {}
  Stream getStream(Device) const override { return Stream(Stream::DEFAULT, HERE); }
  Stream exchangeStream(Stream) const override { return Stream(Stream::DEFAULT, HERE); }
  DeviceIndex deviceCount() const noexcept override { return 1; }
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

struct Hooks final : PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  DeviceIndex deviceCount() const override { return 1; }
  DeviceIndex getCurrentDevice() const override { return 0; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  void init() const override {}
  const Generator& getDefaultGenerator(DeviceIndex) const override {
    return at::detail::getDefaultCPUGenerator();
  }
  Generator getNewGenerator(DeviceIndex) const override { return at::detail::createCPUGenerator(); }
};
static Hooks hooks;

using Some = std::optional<bool>;

Tensor empty(IntArrayRef sizes, std::optional<ScalarType> type, std::optional<Layout>,
             std::optional<Device>, Some, std::optional<MemoryFormat> format) {
  return at::detail::empty_generic(sizes, &memory, KEYS, c10::dtype_or_default(type), format);
}

Tensor empty_strided(IntArrayRef sizes, IntArrayRef strides, std::optional<ScalarType> type,
                     std::optional<Layout>, std::optional<Device>, Some) {
  return at::detail::empty_strided_generic(sizes, strides, &memory, KEYS, c10::dtype_or_default(type));
}

Tensor seen(const Tensor& one) {  // the same memory, as the processor sees it
  if (one.device().type() != KIND) return one;
  auto options = TensorOptions().dtype(one.dtype()).device(kCPU);
  return from_blob(one.data_ptr(), one.sizes(), one.strides(), options);
}

Tensor copy_from(const Tensor& from, const Tensor& to, bool) {
  NoGradGuard guard;
  seen(to).copy_(seen(from));
  return to;
}

Tensor copy_from_and_resize(const Tensor& from, const Tensor& to) {
  if (!to.sizes().equals(from.sizes())) native::resize_(to, from.sizes(), std::nullopt);
  return copy_from(from, to, false);
}

Scalar item(const Tensor& one) { return seen(one).item(); }

const Tensor& resize(const Tensor& one, IntArrayRef sizes, std::optional<MemoryFormat> format) {
  return native::resize_(one, sizes, format);
}

Tensor& set_at(Tensor& one, Storage source, int64_t offset, IntArrayRef sizes,
               IntArrayRef strides) {
  return native::set_storage_cpu_(one, source, offset, sizes, strides);
}

using Sizes = SymIntArrayRef;

Tensor convolve(const Tensor& x, const Tensor& w, const std::optional<Tensor>& bias, Sizes stride,
                Sizes padding, Sizes dilation, bool transposed, Sizes more, SymInt groups) {
  std::optional<Tensor> b;
  if (bias && bias->defined()) b = seen(*bias);
  auto found = at::convolution_symint(seen(x), seen(w), b, stride, padding, dilation, transposed,
                                      more, groups);
  return found.to(x.device());
}

std::tuple<Tensor, Tensor, Tensor> convolve_back(
    const Tensor& grad, const Tensor& x, const Tensor& w, Sizes stride, Sizes padding,
    Sizes dilation, bool transposed, Sizes more, SymInt groups, std::array<bool, 3> wanted) {
  std::vector<SymInt> bias = {transposed ? w.sym_size(1) * groups : w.sym_size(0)};
  auto [a, b, c] = at::convolution_backward_symint(
      seen(grad), seen(x), seen(w), Sizes(bias), stride, padding, dilation, transposed, more,
      groups, wanted);
  auto moved = [&](const Tensor& one) { return one.defined() ? one.to(x.device()) : one; };
  return {moved(a), moved(b), moved(c)};
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", &second::empty);
  library.impl("empty_strided", &second::empty_strided);
  library.impl("_copy_from", &copy_from);
  library.impl("_copy_from_and_resize", &copy_from_and_resize);
  library.impl("_local_scalar_dense", &second::item);
  library.impl("as_strided", native::as_strided_tensorimpl);
  library.impl("view", native::view);
  library.impl("_reshape_alias", native::_reshape_alias);
  library.impl("unfold", native::unfold);
  library.impl("resize_", &second::resize);
  library.impl("set_.source_Storage_storage_offset", &set_at);
  library.impl("convolution_overrideable", &convolve);
  library.impl("convolution_backward_overrideable", &convolve_back);
}

void on_processor(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  native::cpu_fallback(op, stack);
}
TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&on_processor>());
}
TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFallthrough());
}

}  // namespace second

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("begin", []() { at::RegisterPrivateUse1HooksInterface(&second::hooks); });
}
