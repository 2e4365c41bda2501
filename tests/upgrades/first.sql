-- Records as they may be in the schema of release 0.1. Don't edit: later schemas must keep all of this.
-- Moments are in UTC. The two secrets and the pepper are in test_upgrades.py.

INSERT INTO accounts_organization (id, name, time_zone, created_at) VALUES
    (1, 'Agencija Šuma & Söhne 语', 'Europe/Zagreb', '2025-01-07 08:00:00.000000'),
    (7, 'O''Neill', 'Pacific/Kiritimati', '2025-03-30 01:30:00.123456');

INSERT INTO accounts_user (id, password, last_login, is_superuser, username, first_name, last_name, email,
                           is_staff, is_active, date_joined, service_account_of_id) VALUES
    (1, 'md5$salt$3f2c', '2025-10-03 06:06:45.292000', TRUE, 'root', '', '', '', TRUE, TRUE, '2025-01-07 08:00:00.000000', NULL),
    (2, 'md5$salt$9a1e', NULL, FALSE, 'ana', 'Ana', 'Anić', 'ANA@agencija.example', TRUE, TRUE, '2025-01-08 08:00:00.000000', NULL),
    (3, 'md5$salt$77aa', NULL, FALSE, 'otišao', '', '', '', TRUE, FALSE, '2025-01-08 08:00:00.000000', NULL),
    (5, '!unusable', NULL, FALSE, 'api-1', '', '', '', FALSE, TRUE, '2025-01-09 08:00:00.000000', 1);

INSERT INTO accounts_apitoken (id, created_at, name, prefix, digest, read_only, expires_at, revoked_at, last_used_at,
                               user_id, organization_id) VALUES
    (4, '2025-01-09 08:00:00.000000', 'Uvoz', 'prd_of-the-f', 'f2e3634bc6cf7cf2e35eae56f30120f63cab7314a708cac724528322065aadbf', FALSE, NULL, NULL, NULL, 5, 1),
    (6, '2025-01-09 09:00:00.000000', 'Izvoz', 'prd_revoked', '97f04156eb39c270f4c3bec2c36a55f0738ca6d9d403ee9e3e0aba20e2ad3d21', TRUE, '2031-01-01 00:00:00.000000', '2025-02-01 12:00:00.500000', '2025-01-31 23:59:59.999999', 2, 1);

INSERT INTO accounts_person (id, created_at, archived_at, first_name, last_name, email, title, organization_id, user_id) VALUES
    (11, '2025-01-07 08:00:00.000000', NULL, 'Ana', 'Anić', 'ana@agencija.example', 'Voditeljica 🦊', 1, 2),
    (12, '2025-01-07 08:00:00.000001', '2025-06-30 22:00:00.000000', '李', '雷', NULL, NULL, 1, 3),
    (13, '2025-10-26 00:30:00.000000', NULL, 'Tab	and "quotes"', 'back\slash', 'x@agencija.example', '', 1, NULL),
    (14, '2025-01-07 08:00:00.000000', NULL, 'Ana', 'Anić', 'ana@agencija.example', NULL, 7, NULL);

INSERT INTO django_content_type (id, app_label, model) VALUES (41, 'catalog', 'servicetype');
INSERT INTO auth_permission (id, name, content_type_id, codename) VALUES
    (161, 'Can add service type', 41, 'add_servicetype'),
    (164, 'Can view service type', 41, 'view_servicetype');
INSERT INTO auth_group (id, name) VALUES (3, 'Planeri'), (4, 'Operations');
INSERT INTO auth_group_permissions (id, group_id, permission_id) VALUES (1, 3, 161), (2, 3, 164), (3, 4, 164);
INSERT INTO accounts_user_groups (id, user_id, group_id) VALUES (1, 2, 3), (2, 3, 4);
INSERT INTO accounts_user_user_permissions (id, user_id, permission_id) VALUES (8, 2, 164);
INSERT INTO django_session (session_key, session_data, expire_date) VALUES
    ('k3yk3yk3yk3yk3yk3yk3yk3yk3yk3yk3', 'e30', '2025-10-03 18:06:45.292000');
INSERT INTO django_admin_log (id, action_time, object_id, object_repr, action_flag, change_message, content_type_id,
                              user_id) VALUES
    (1, '2025-02-03 04:05:06.789000', '21', 'Dizajn', 2, '[{"changed": {"fields": ["Name"]}}]', 41, 2);

INSERT INTO catalog_servicetype (id, created_at, archived_at, name, description, organization_id) VALUES
    (21, '2025-01-07 08:00:00.000000', NULL, 'Dizajn', 'Zaslon
i tisak', 1),
    (22, '2025-01-07 08:00:00.000000', '2025-06-30 22:00:00.000000', 'Razvoj', NULL, 1),
    (23, '2025-01-07 08:00:00.000000', NULL, 'Dizajn', '', 7);

INSERT INTO catalog_project (id, created_at, archived_at, name, project_number, organization_id) VALUES
    (31, '2025-01-07 08:00:00.000000', NULL, 'Šuma', 'P-001', 1),
    (32, '2025-01-07 08:00:00.000000', '2025-06-30 22:00:00.000000', 'Gone', NULL, 1),
    (33, '2025-01-07 08:00:00.000000', NULL, 'Other', '', 7);

INSERT INTO catalog_deal (id, created_at, name, budget, date, end_date, closed_at, person_restricted_tracking,
                          service_type_restricted_tracking, organization_id, project_id) VALUES
    (41, '2025-01-07 08:00:00.000000', 'Šuma 2025', TRUE, '2025-01-01', '2025-12-31', NULL, TRUE, FALSE, 1, 31),
    (42, '2025-01-07 08:00:00.000000', 'Gone 2024', TRUE, NULL, NULL, '2025-06-30 22:00:00.000000', FALSE, TRUE, 1, 32),
    (43, '2025-01-07 08:00:00.000000', 'Other', TRUE, '2024-02-29', NULL, NULL, FALSE, FALSE, 7, 33);

INSERT INTO catalog_service (id, created_at, name, time_tracking_enabled, expense_tracking_enabled, deal_id,
                             organization_id, service_type_id) VALUES
    (51, '2025-01-07 08:00:00.000000', 'Logo', TRUE, FALSE, 41, 1, 21),
    (52, '2025-01-07 08:00:00.000000', 'Stranice', FALSE, TRUE, 42, 1, 22),
    (53, '2025-01-07 08:00:00.000000', 'Logo', TRUE, TRUE, 43, 7, 23);

INSERT INTO assignments_filter (id, created_at, name, params, organization_id) VALUES
    (61, '2025-01-07 08:00:00.000000', 'Moje', '{"query": "š", "nested": [1, 2.5, null, true]}', 1),
    (62, '2025-01-07 08:00:00.000000', 'Their own', '{}', 7);

INSERT INTO assignments_projectassignment (id, created_at, default_filter_id, tasks_layout_id, preferences,
                                           budgets_filter_id, deals_filter_id, invoices_filter_id, docs_filter_id,
                                           watched, organization_id, person_id, project_id) VALUES
    (71, '2025-10-03 04:06:45.292000', 61, 9223372036854775807, '{"a": {"b": []}}', 62, 3, NULL, 1, TRUE, 1, 11, 31),
    (72, '2025-10-03 04:06:45.292000', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 12, 32),
    (9000, '2025-10-03 04:06:45.292000', NULL, NULL, '"text"', NULL, NULL, NULL, NULL, FALSE, 1, 13, 31),
    (9001, '2025-10-03 04:06:45.292000', 62, NULL, '0', NULL, NULL, NULL, NULL, FALSE, 7, 14, 33);

INSERT INTO assignments_serviceassignment (id, created_at, organization_id, person_id, service_id) VALUES
    (81, '2025-10-03 04:06:45.292000', 1, 11, 51),
    (82, '2025-10-03 04:06:45.292000', 1, 12, 52),
    (83, '2025-10-03 04:06:45.292000', 7, 14, 53);

INSERT INTO assignments_servicetypeassignment (id, created_at, organization_id, person_id, service_type_id) VALUES
    (91, '2025-10-03 04:06:45.292000', 1, 11, 21),
    (92, '2025-10-03 04:06:45.292000', 1, 12, 22);

INSERT INTO catalog_historicalservicetype (id, created_at, archived_at, name, description, change_set, via, history_id,
                                           history_date, history_change_reason, history_type, history_user_id,
                                           organization_id) VALUES
    (21, '2025-01-07 08:00:00.000000', NULL, 'Design', NULL, '6f0d0a7e5c7f4bd3a1f7a3a0c5d1b2e3', 'admin', 1,
     '2025-01-07 08:00:00.000000', NULL, '+', 2, 1),
    (21, '2025-01-07 08:00:00.000000', NULL, 'Dizajn', NULL, '0b9e8d7c6a5f4e3d2c1b0a9f8e7d6c5b', 'admin', 2,
     '2025-02-03 04:05:06.789000', NULL, '~', 2, 1);
