//! One history: several lives of a store, and the events between them.

use super::world::{Ending, Stop, World};
use super::{exclusive, transactional};

/// Runs a history, and returns the broken promise, if any.
pub(super) fn live(world: &mut World) -> Result<(), String> {
    match lives(world) {
        Err(Stop::Broken(what)) => Err(what),
        Ok(()) | Err(Stop::Struck | Stop::Failed) => Ok(()),
    }
}

fn lives(world: &mut World) -> Result<(), Stop> {
    exclusive::create(world)?;
    for _ in 0..world.random.within(2..7) {
        world.draw_damage()?;
        if world.random.one_in(2) {
            world.endanger(40);
        }
        if world.random.one_in(3) {
            match exclusive::look(world) {
                Err(Stop::Struck | Stop::Failed) => {}
                looked => looked?,
            }
            if world.over {
                return Ok(());
            }
        }
        world.draw_room();
        life(world)?;
        if world.over {
            return Ok(());
        }
    }
    // After all events the store opens and holds what it must.
    world.end(Ending::PowerCut)?;
    transactional::live(world, Ending::Close)
}

/// One life, and its end.
fn life(world: &mut World) -> Result<(), Stop> {
    let ending = Ending::draw(&mut world.random);
    let lived = match world.random.below(world.exclusive_odds) {
        0 if !world.bulk_only => exclusive::live(world, ending),
        _ => transactional::live(world, ending),
    };
    match lived {
        Ok(()) | Err(Stop::Struck | Stop::Failed) => world.end(ending),
        broken => broken,
    }
}
