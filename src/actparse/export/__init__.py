"""A parse in the forms that other programs read: tables, annotation files, viewers. Structures in, files out."""
