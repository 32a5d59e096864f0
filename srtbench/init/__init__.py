"""A first sweep file, made from rows: look at them, propose every key with its reason, write.

``look`` and ``find`` say what the rows hold, ``shape`` and ``propose`` choose, ``trial`` asks a
tiny model, ``write`` puts it all down as commented YAML.
"""
