// On Start: forgets what an earlier deploy knew. The charts keep their points.

context.set('packs', {});
context.set('drawn', 0);
context.set('styled', '');
