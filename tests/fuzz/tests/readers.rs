//! Every corpus file and some damage to each, for every reader. All is one test: the allocator
//! counts the whole process.

use toolkit_fuzz::mutate::mutate;
use toolkit_fuzz::targets::{ALL, Target};
use toolkit_fuzz::trial::trial;
use toolkit_fuzz::{corpus, memory};
use toolkit_seed::Stream;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Damaged inputs of each reader; the program of this package tries more.
const INPUTS: usize = 400;

fn reader(target: Target) {
    let files = corpus::of(target);
    assert!(files.len() > 1, "{}: there is a corpus", target.name);
    for (path, bytes) in &files {
        assert_eq!(trial(target, bytes), Ok(()), "{}", path.display());
    }
    let good = files.iter().filter(|(_, bytes)| (target.read)(bytes).is_ok()).count();
    assert!(good > 0, "{}: a good file is read", target.name);
    let mut draw = Stream::new(17, target.name, 0);
    for at in 0..INPUTS {
        let (one, other) = (draw.below(files.len()), draw.below(files.len()));
        let input = mutate(&files[one].1, &files[other].1, &mut draw);
        assert_eq!(
            trial(target, &input),
            Ok(()),
            "{} {at}: {}",
            target.name,
            files[one].0.display()
        );
    }
}

#[test]
fn no_file_makes_a_reader_panic_hang_or_eat_memory() {
    for target in ALL {
        reader(target);
    }
}
