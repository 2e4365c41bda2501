"use strict";

// Swagger UI's dark theme, where the browser prefers a dark one.
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const applyTheme = () => document.documentElement.classList.toggle("dark-mode", prefersDark.matches);
prefersDark.addEventListener("change", applyTheme);
applyTheme();

SwaggerUIBundle({ url: "{{ schema_url|escapejs }}", dom_id: "#swagger-ui", ...{{ settings|safe }} });
