// On Start: forgets what an earlier deploy knew.

context.set('batteries', {});
context.set('repeated', 0);
