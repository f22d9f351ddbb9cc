//! sample: a Symbolon plugin in Rust.
//!
//! Each method is an `extern "C"` function and one line of text; the host derives command line, HTTP and OpenAPI from
//! that line.

mod abi;

use abi::{Call, Failure, Method, Plugin, Sink, Slice};
use std::ffi::c_void;

/// What the plugin does, without a word of the contract.
fn greeting(name: &str) -> Option<String> {
    (1..=64).contains(&name.len()).then(|| format!("Hello, {name}!"))
}

/// greet(name: text) -> (greeting: text)
unsafe extern "C" fn greet(_own: *mut c_void, call: *mut Call, name: Slice, out: *mut Sink) -> i32 {
    abi::guarded(call, || {
        let text = std::str::from_utf8(name.bytes()).ok().and_then(greeting);
        let text = text.ok_or_else(|| Failure::new(abi::INVALID_ARGUMENT, "bad_name", "A name has 1 to 64 bytes."))?;
        abi::write(out, text.as_bytes())
    })
}

/// count(limit: u32) -> (numbers: stream<u32>)
unsafe extern "C" fn count(_own: *mut c_void, call: *mut Call, limit: u32, out: *mut Sink) -> i32 {
    abi::guarded(call, || {
        for number in 0..limit {
            // The canonical form of a u32: four bytes, most significant first.
            abi::write(out, &number.to_be_bytes())?;
            let cancelled = call.as_ref().and_then(|call| call.cancelled);
            if cancelled.is_some_and(|cancelled| cancelled(call) != 0) {
                let text = "Nobody waits for the numbers any more.";
                return Err(Failure::new(abi::CANCELLED, "cancelled", text));
            }
        }
        Ok(())
    })
}

static GREET: Method = Method {
    struct_size: std::mem::size_of::<Method>() as u32,
    flags: abi::READS | abi::PUBLIC,
    signature: c"greet(name: text) -> (greeting: text)".as_ptr(),
    summary: c"Say hello".as_ptr(),
    function: greet as *const c_void,
    defaults: std::ptr::null(),
    command: std::ptr::null(),
    deadline_ms: 0,
    reserved: 0,
};

static COUNT: Method = Method {
    struct_size: std::mem::size_of::<Method>() as u32,
    flags: abi::READS | abi::STREAMS,
    signature: c"count(limit: u32) -> (numbers: stream<u32>)".as_ptr(),
    summary: c"Count".as_ptr(),
    function: count as *const c_void,
    defaults: c"{\"limit\":3}".as_ptr(),
    command: std::ptr::null(),
    deadline_ms: 0,
    reserved: 0,
};

struct Table([*const Method; 2]);
unsafe impl Sync for Table {} // Constant.
static METHODS: Table = Table([&GREET, &COUNT]);

// Instances would be made in `create`; these methods need none.
static PLUGIN: Plugin = Plugin {
    struct_size: std::mem::size_of::<Plugin>() as u32,
    abi: abi::ABI,
    flags: 0,
    reserved: 0,
    id: c"sample".as_ptr(),
    version: c"0.1.0".as_ptr(),
    summary: c"Says hello and counts".as_ptr(),
    methods: METHODS.0.as_ptr(),
    imports: std::ptr::null(),
    method_count: 2,
    import_count: 0,
    create: None,
    start: None,
    stop: None,
    destroy: None,
    extension: None,
};

/// What the host asks for first.
#[no_mangle]
pub extern "C" fn symbolon_plugin_entry(host_abi: u32) -> *const Plugin {
    if host_abi >= abi::ABI { &PLUGIN } else { std::ptr::null() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greets_whoever_has_a_name() {
        assert_eq!(greeting("Ada").as_deref(), Some("Hello, Ada!"));
        assert_eq!(greeting(""), None);
        assert_eq!(greeting(&"x".repeat(65)), None);
    }

    #[test]
    fn a_panic_ends_at_the_border() {
        let status = unsafe { abi::guarded(std::ptr::null_mut(), || panic!("on purpose")) };
        assert_eq!(status, abi::INTERNAL);
    }
}
