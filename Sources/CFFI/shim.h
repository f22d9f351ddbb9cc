/* libffi, and the few things that Swift cannot say: the address of its global types, and a slice by value. */
#ifndef SYMBOLON_CFFI_SHIM_H
#define SYMBOLON_CFFI_SHIM_H
#include <ffi.h>
#include <stdint.h>

static inline ffi_type *symbolon_ffi_pointer(void) { return &ffi_type_pointer; }
static inline ffi_type *symbolon_ffi_u8(void) { return &ffi_type_uint8; }
static inline ffi_type *symbolon_ffi_i32(void) { return &ffi_type_sint32; }
static inline ffi_type *symbolon_ffi_u32(void) { return &ffi_type_uint32; }
static inline ffi_type *symbolon_ffi_i64(void) { return &ffi_type_sint64; }
static inline ffi_type *symbolon_ffi_u64(void) { return &ffi_type_uint64; }
static inline ffi_type *symbolon_ffi_f64(void) { return &ffi_type_double; }
static inline ffi_type *symbolon_ffi_void(void) { return &ffi_type_void; }

/* {const uint8_t *data; uint64_t size}. libffi fills in size and alignment when it first prepares an interface with
   it; both are written here already, so that no thread ever writes to it later. */
static inline ffi_type *symbolon_ffi_slice(void) {
  static ffi_type *fields[3] = {&ffi_type_pointer, &ffi_type_uint64, 0};
  static ffi_type slice = {16, 8, FFI_TYPE_STRUCT, fields};
  return &slice;
}

static inline ffi_status symbolon_ffi_prepare(ffi_cif *interface, unsigned count, ffi_type *result, ffi_type **arguments) {
  return ffi_prep_cif(interface, FFI_DEFAULT_ABI, count, result, arguments);
}
#endif
