//! Memory that the C library takes from the system, and that it keeps after it was freed.

/// Makes glibc keep freed memory for the next step. Does nothing with other C libraries.
///
/// A step of training frees and takes the same buffers again and again. glibc returns freed memory
/// to the system once it is more than a few megabytes, and the system zeroes each page anew. That
/// costs a twentieth of a run of the nano tier. With these settings glibc keeps buffers up to 32 MB:
/// 128 MB of them in the main heap, all of them in the heaps of other threads.
///
/// The padding is for a thread's heap of 64 MB that is full (seen with glibc 2.36). glibc opens the
/// next heap and frees the rest of the full one. That trims the new heap away, so the memory comes
/// from the main heap. The heap of a buffer then differs from process to process, and free memory in
/// one is not used by the other: a step of stage 1 with BERT-base took up to a gigabyte too much.
/// With a padding as large as a heap there is nothing to trim. The padding is address space:
/// untouched pages cost no memory.
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

/// Starts the process once more with the setting of glibc that asks for huge pages, where the system
/// gives them only to those who ask.
///
/// Matrices are read row by row, and rows are a page apart. With pages of 4 KB the processor looks up
/// a page for each row; with pages of 2 MB it rarely does. `docs/performance.md` has the gain.
///
/// glibc reads the setting when a program starts, and there is no other way to set it. So nothing is
/// done if `GLIBC_TUNABLES` is set already, by us or by the user, or on another system.
pub(crate) fn ask_for_huge_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::os::unix::process::CommandExt;
        const TUNABLES: &str = "GLIBC_TUNABLES";
        let given = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
        let asked = given.is_ok_and(|given| given.contains("[madvise]"));
        let mut args = std::env::args_os();
        let (Ok(program), Some(name)) = (std::env::current_exe(), args.next()) else { return };
        if asked && std::env::var_os(TUNABLES).is_none() {
            // If it fails, this process goes on as it is.
            let _ = std::process::Command::new(program)
                .arg0(name)
                .args(args)
                .env(TUNABLES, "glibc.malloc.hugetlb=1")
                .exec();
        }
    }
}
