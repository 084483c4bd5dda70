//! The promises of the disk, and their limits.

use super::*;

fn disk() -> (Disk, Arc<dyn Backing>) {
    let disk = Disk::new(&mut Random::new(7), true);
    disk.create("store").unwrap();
    let file = disk.open("store").unwrap();
    (disk, file)
}

fn contents(file: &dyn Backing) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len_bytes().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_power_cut_keeps_what_is_synced_and_ends_every_handle() {
    let (disk, file) = disk();
    file.write_at(0, &[1; 2000]).unwrap();
    file.sync_data().unwrap();
    let side = file.open_side("-wal-1", OpenSide::Create).unwrap().unwrap();
    side.write_at(0, &[2; 100]).unwrap();
    side.sync_data().unwrap();
    file.sync_directory().unwrap();
    disk.strike_after(1, true, Fault::PowerCut);
    file.sync_data().unwrap();
    file.write_at(0, &[3; 10]).unwrap_err();
    assert_eq!(disk.struck(), Some(Fault::PowerCut));
    side.sync_data().unwrap_err();
    side.read_at(0, &mut [0]).unwrap_err();
    disk.reboot().unwrap();
    file.sync_data().unwrap_err();
    let file = disk.open("store").unwrap();
    assert_eq!(contents(&*file)[512..], [1; 1488]);
    assert_eq!(file.list_sides().unwrap(), ["-wal-1"]);
    let side = file.open_side("-wal-1", OpenSide::Read).unwrap().unwrap();
    assert_eq!(contents(&*side), [2; 100]);
    assert!(disk.take_trace().iter().any(|line| line.contains("PowerCut")));
}

#[test]
fn a_kill_keeps_what_is_written() {
    let (disk, file) = disk();
    file.write_at(0, &[1; 2000]).unwrap();
    disk.strike_after(0, true, Fault::Kill);
    file.write_at(1000, &[2; 1000]).unwrap_err();
    disk.restart().unwrap();
    file.read_at(0, &mut [0]).unwrap_err();
    let file = disk.open("store").unwrap();
    let found = contents(&*file);
    let written = found.iter().filter(|&&byte| byte == 2).count();
    assert_eq!(found, [vec![1; 1000], vec![2; written], vec![1; 1000 - written]].concat());
}

#[test]
fn a_call_fails_once() {
    let (disk, file) = disk();
    let calls: [fn(&dyn Backing) -> Result<()>; 10] = [
        |file| file.write_at(0, &[1; 2000]),
        |file| file.grow(4000).map(drop),
        |file| file.sync_data(),
        |file| file.sync_full(),
        |file| file.open_side("-a", OpenSide::Create).map(drop),
        |file| file.sync_directory(),
        |file| file.rename_side("-a", "-b"),
        |file| file.remove_side("-b"),
        |file| file.trim(100),
        |file| file.rename(Path::new("renamed"), false),
    ];
    for call in calls {
        disk.strike_after(0, true, Fault::Error);
        let error = call(&*file).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::NoSpace), "{error}");
        assert_eq!(disk.struck(), Some(Fault::Error));
        call(&*file).unwrap();
    }
    assert_eq!(disk.names(), ["renamed"]);
    assert_eq!(file.len_bytes().unwrap(), 100);
    assert_eq!(disk.calls(), 20);
}

#[test]
fn a_file_whose_name_is_not_synced_may_vanish_and_a_removed_one_may_come_back() {
    let (mut vanished, mut came_back) = (0, 0);
    for seed in 0..50 {
        let disk = Disk::new(&mut Random::new(seed), false);
        disk.create("store").unwrap();
        let file = disk.open("store").unwrap();
        let made = file.open_side("-a", OpenSide::Create).unwrap().unwrap();
        made.write_at(0, b"a").unwrap();
        made.sync_data().unwrap();
        file.sync_directory().unwrap();
        file.remove_side("-a").unwrap();
        file.open_side("-b", OpenSide::Create).unwrap().unwrap().sync_data().unwrap();
        disk.bring_down();
        disk.reboot().unwrap();
        let file = disk.open("store").unwrap();
        let sides = file.list_sides().unwrap();
        vanished += u32::from(!sides.contains(&"-b".to_owned()));
        if let Some(side) = file.open_side("-a", OpenSide::Write).unwrap() {
            assert_eq!(contents(&*side), b"a");
            came_back += 1;
        }
    }
    assert!((5..45).contains(&vanished) && (5..45).contains(&came_back));
}
