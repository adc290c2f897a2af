-- Schema 8: a change that was suspect until enough looks showed it says so.

ALTER TABLE changes ADD COLUMN doubt {text} NOT NULL DEFAULT ''; -- why, empty if it was not suspect
