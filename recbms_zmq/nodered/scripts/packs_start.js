// On Start: forgets what an earlier deploy knew, but for the last alarms. A deploy deletes a node's
// context, unless Node-RED's settings name another store, and leaves the flow's.

context.set('tables', TABLES);
context.set('packs', {});
flow.set('recbms_events', flow.get('recbms_events') ?? {});
context.set('note', '');
context.set('hasChanged', true);
context.set('shown', 0);
