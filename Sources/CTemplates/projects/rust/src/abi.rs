//! The part of the Symbolon contract that this plugin uses, as in `include/symbolon`.

use std::ffi::{c_char, c_void};

pub const ABI: u32 = 1;
pub const READS: u32 = 1;
pub const PUBLIC: u32 = 4;
pub const STREAMS: u32 = 8;

pub const OK: i32 = 0;
pub const CANCELLED: i32 = 1;
pub const INVALID_ARGUMENT: i32 = 3;
pub const INTERNAL: i32 = 13;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Slice {
    pub data: *const u8,
    pub size: u64,
}

impl Slice {
    /// The bytes, borrowed for the running call.
    ///
    /// # Safety
    /// The slice comes from the host and the call has not returned.
    pub unsafe fn bytes<'call>(&self) -> &'call [u8] {
        if self.data.is_null() { &[] } else { std::slice::from_raw_parts(self.data, self.size as usize) }
    }
}

#[repr(C)]
pub struct Sink {
    pub struct_size: u32,
    pub reserved: u32,
    pub context: *mut c_void,
    pub write: Option<unsafe extern "C" fn(*mut Sink, Slice) -> i32>,
}

#[repr(C)]
pub struct Error {
    pub struct_size: u32,
    pub status: i32,
    pub code: [u8; 64],
    pub message: [u8; 1024],
}

#[repr(C)]
pub struct Call {
    pub struct_size: u32,
    pub origin: u32,
    pub caller: *const c_char,
    pub sender: *const u8,
    pub transaction: u64,
    pub deadline_ns: u64,
    pub trace_id: [u8; 16],
    pub error: *mut Error,
    pub cancelled: Option<unsafe extern "C" fn(*const Call) -> u32>,
    pub context: *mut c_void,
    pub parent: *const Call,
}

#[repr(C)]
pub struct Host {
    pub struct_size: u32,
    pub abi: u32,
    pub version: *const c_char,
    pub plugin_id: *const c_char,
    pub context: *mut c_void,
    pub service: Option<unsafe extern "C" fn(*const Host, *const c_char) -> *const c_void>,
}

#[repr(C)]
pub struct Method {
    pub struct_size: u32,
    pub flags: u32,
    pub signature: *const c_char,
    pub summary: *const c_char,
    pub function: *const c_void,
    pub defaults: *const c_char,
    pub command: *const c_char,
    pub deadline_ms: u32,
    pub reserved: u32,
}

#[repr(C)]
pub struct Plugin {
    pub struct_size: u32,
    pub abi: u32,
    pub flags: u32,
    pub reserved: u32,
    pub id: *const c_char,
    pub version: *const c_char,
    pub summary: *const c_char,
    pub methods: *const *const Method,
    pub imports: *const *const c_void,
    pub method_count: u32,
    pub import_count: u32,
    pub create: Option<unsafe extern "C" fn(*const Host, *mut Call, *mut *mut c_void) -> i32>,
    pub start: Option<unsafe extern "C" fn(*mut c_void, *mut Call) -> i32>,
    pub stop: Option<unsafe extern "C" fn(*mut c_void)>,
    pub destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    pub extension: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
}

// Descriptions are constant.
unsafe impl Sync for Method {}
unsafe impl Sync for Plugin {}

const _: () = assert!(std::mem::size_of::<Call>() == 88);
const _: () = assert!(std::mem::size_of::<Error>() == 1096);
const _: () = assert!(std::mem::size_of::<Method>() == 56);
const _: () = assert!(std::mem::size_of::<Plugin>() == 104);

/// What a method ends with when it does not succeed.
pub struct Failure {
    pub status: i32,
    pub code: &'static str,
    pub message: String,
}

impl Failure {
    pub fn new(status: i32, code: &'static str, message: impl Into<String>) -> Failure {
        Failure { status, code, message: message.into() }
    }
}

/// Runs a method's body: a failure goes into the error slot, and a panic ends here and not in the host.
///
/// # Safety
/// `call` comes from the host.
pub unsafe fn guarded(call: *mut Call, body: impl FnOnce() -> Result<(), Failure>) -> i32 {
    let failure = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
        Ok(Ok(())) => return OK,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(INTERNAL, "panic", "The plugin has a fault; its standard error says where."),
    };
    if let Some(error) = call.as_mut().and_then(|call| call.error.as_mut()) {
        error.status = failure.status;
        copy(&mut error.code, failure.code);
        copy(&mut error.message, &failure.message);
    }
    failure.status
}

/// As much of the text as fits, whole characters, and a zero.
fn copy(place: &mut [u8], text: &str) {
    let mut end = text.len().min(place.len() - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    place[..end].copy_from_slice(&text.as_bytes()[..end]);
    place[end] = 0;
}

/// Writes one message; what the receiver refuses ends the method.
///
/// # Safety
/// `sink` comes from the host and the call has not returned.
pub unsafe fn write(sink: *mut Sink, bytes: &[u8]) -> Result<(), Failure> {
    let function = match sink.as_ref().and_then(|sink| sink.write) {
        Some(function) => function,
        None => return Err(Failure::new(INTERNAL, "no_sink", "The caller gave no place for the result.")),
    };
    match function(sink, Slice { data: bytes.as_ptr(), size: bytes.len() as u64 }) {
        OK => Ok(()),
        status => Err(Failure::new(status, "refused", "The receiver takes no more.")),
    }
}
