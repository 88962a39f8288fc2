// On Start: what was sent to Home Assistant is asked from it, not remembered here.

context.set('tables', TABLES);
context.set('devices', {});
context.set('queue', []);
context.set('flight', null);
context.set('retry', null);
