CREATE TRIGGER object_insert_policy_stat AFTER INSERT ON object BEGIN
    UPDATE policy_stat SET
        object_count = object_count + (1 - new.deleted),
        bytes_used = bytes_used + new.size
    WHERE storage_policy_index = new.storage_policy_index;
    INSERT INTO policy_stat (storage_policy_index, object_count, bytes_used)
        SELECT new.storage_policy_index, (1 - new.deleted), new.size
        WHERE NOT EXISTS(SELECT changes() as change FROM policy_stat WHERE change <> 0);
    UPDATE container_info SET hash = chexor(hash, new.name, new.created_at);
END;
CREATE TRIGGER object_delete_policy_stat AFTER DELETE ON object BEGIN
    UPDATE policy_stat SET
        object_count = object_count - (1 - old.deleted),
        bytes_used = bytes_used - old.size
    WHERE storage_policy_index = old.storage_policy_index;
    UPDATE container_info SET hash = chexor(hash, old.name, old.created_at);
END;
