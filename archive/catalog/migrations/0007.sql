-- Schema 7: the first of very many passages, without sorting all of them.

CREATE INDEX passages_first ON passages (first_seen, document, block, id);
