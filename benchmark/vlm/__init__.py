"""One vision-language model behind its roles: vision, projector, language."""

import logging

# Importing PEFT imports bitsandbytes, which warns of a faster CPU kernel that only a hub download
# would bring. Nobody can act on it here.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
