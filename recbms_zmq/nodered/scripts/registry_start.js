// On Start.

context.set('tables', TABLES);
context.set('decimals', new Map());
context.set('queue', []);
context.set('flight', null);
context.set('asked', false);
