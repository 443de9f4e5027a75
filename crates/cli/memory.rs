//! Memory that the allocator keeps after it was freed.

/// A step of training frees and takes the same buffers again and again. glibc gives what is freed
/// back to the system once it is more than a few megabytes, and the system zeroes each page anew: a
/// twentieth of a run of the nano tier. Buffers up to 32 MB are kept instead: 128 MB of them in the
/// main heap, all of them in those of other threads. Elsewhere, nothing is done.
///
/// The padding mends what glibc (seen with 2.36) does where a thread's heap of 64 MB is full: it
/// opens the next one, frees what was left of the full one, trims the next one away in doing so,
/// and takes the memory from the main heap. Which of the two heaps a buffer is in then differs from
/// process to process, what is free in one is not used by the other, and a step of stage 1 with
/// BERT-base took up to a gigabyte more than it held. With a padding as large as a heap there is
/// nothing to trim. It is address space, not memory: pages that are never touched cost nothing.
pub(crate) fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "a function of the C library")]
    // SAFETY: `mallopt` takes two numbers and may be called at any time; whether it obeys does not
    // matter.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 128 << 20);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}
