// On Start: what was sent to Home Assistant is asked from it, not remembered here.

context.set('tables', TABLES);
context.set('devices', Object.create(null)); // any id of a BMS is only a key of it
context.set('queue', []);
context.set('flight', null);
context.set('cancelRetry', null);
