// On Message: nothing is wired to this node; see its On Start.

return null;
