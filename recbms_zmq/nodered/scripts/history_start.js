// On Start: forgets what an earlier deploy knew. The points stay: a deploy deletes a node's context, and
// leaves the flow's.

context.set('packs', {});
flow.set('recbms_points', flow.get('recbms_points') ?? {});
context.set('began', null);
context.set('shown', 0);
context.set('lines', 0);
