// On Message: nothing is wired to this node; what it gives comes from its On Start.

return null;
