"""Operations with stock's db_preallocation switched on."""
import os

from swift.common import db, utils

import operations as plain_operations


def apply(kind, file, operations, reserve):
    """As operations.apply; answers with the results and the blocks that the file has then."""
    db.DB_PREALLOCATION = True
    utils.FALLOCATE_RESERVE, utils.FALLOCATE_IS_PERCENT = utils.config_fallocate_value(reserve)
    try:
        results = plain_operations.apply(kind, file, operations)
    finally:
        db.DB_PREALLOCATION = False
        utils.FALLOCATE_RESERVE, utils.FALLOCATE_IS_PERCENT = 0, False
    return {'results': results, 'blocks': os.stat(file).st_blocks}
