//! How long the allocator keeps memory that was freed.

/// A step of training frees and takes the same buffers again and again. glibc gives what is freed back to the system once it is more than a
/// few megabytes, and the system zeroes each page anew: a twentieth of a run of the nano tier. Buffers up to 32 MB and 128 MB
/// of free memory are kept instead. Elsewhere, nothing is done.
pub(crate) fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "a function of the C library")]
    // SAFETY: `mallopt` takes two numbers and may be called at any time; whether it obeys does not matter.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 128 << 20);
    }
}
